import { createServer } from 'node:http';

/**
 * A small OpenAI-compatible server: `node openai-engine.ts PORT [ARGUMENT …]`. Answers with the arguments it was started with, and says in
 * `system_fingerprint` how many chat requests it had before.
 */
const [port = '0', ...args] = process.argv.slice(2);
let chats = 0;

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/v1/models') {
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'tool', object: 'model' }] }));
    } else if (request.url === '/v1/chat/completions') {
      const message = { role: 'assistant', content: `arguments: ${args.join(' ')}` };
      const choices = [{ index: 0, message, finish_reason: 'stop' }];
      response.end(
        JSON.stringify({
          id: 'chatcmpl-1',
          object: 'chat.completion',
          model: 'tool',
          system_fingerprint: `requests before: ${chats}`,
          choices,
        }),
      );
      chats += 1;
    } else {
      response.statusCode = 404;
      response.end('{}');
    }
  });
});
server.listen(Number(port));
process.on('SIGTERM', () => process.exit(0));
