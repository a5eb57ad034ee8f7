import { connect } from 'node:net';

/** True when a Redis on 127.0.0.1 takes this password and answers PING (it answers LOADING while it reads its file). Takes 1 s at most. */
export async function redisAnswers(options: { readonly port: number; readonly password: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: options.port });
    let answer = '';
    const settle = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(1000, () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('close', () => settle(false));
    socket.on('connect', () => socket.write(`AUTH ${options.password}\r\nPING\r\n`));
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (answer.split('\r\n').length > 2) settle(answer === '+OK\r\n+PONG\r\n');
    });
  });
}
