# The image of the edge and of the orchestrator: the workspace as it is, since Node runs TypeScript only outside node_modules.
# Dependencies that are installed in the checkout are taken over, and nothing is downloaded then; otherwise npm of the base image installs them.
ARG NODE_IMAGE=node:26.10.0-bookworm-slim
FROM ${NODE_IMAGE}
WORKDIR /opt/berth
COPY . .
RUN ["node", "scripts/workspace.mjs", "install", "--prod"]
ENV NODE_ENV=production PATH=/opt/berth/deploy/bin:$PATH
ENTRYPOINT ["/opt/berth/node_modules/.bin/node", "/opt/berth/services/berth/src/main.ts"]
CMD ["--help"]
