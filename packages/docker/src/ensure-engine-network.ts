import { OperationalError } from '@berth/core';
import type { DockerClient } from './docker-client.ts';
import { isRefusal, orNull, refusal } from './docker-client.ts';
import { formatIpv4, parseIpv4Block } from './ipv4.ts';
import { LABELS } from './labels.ts';
import type { AddressPlan } from './pick-address.ts';

export interface EngineNetworkOptions {
  readonly name: string;
  /** Of a network that has to be created; default: the first of a list of private ones that is free. */
  readonly subnet?: string;
}

/** Private, 4096 addresses each, away from Docker's own pools (172.17 to 172.31, 192.168) and from usual home and cloud networks. */
const SUBNETS = ['10.213.0.0/20', '10.213.16.0/20', '10.217.0.0/20', '10.221.0.0/20', '10.229.0.0/20', '10.243.0.0/20', '172.16.208.0/20'];

/**
 * The engine network's addresses; creates it when it is not there. Its first 256 addresses are Docker's own range, for edges and the
 * orchestrator; the others are for engines. Throws `ENGINE_START_FAILED` when no subnet is free.
 */
export async function ensureEngineNetwork(
  client: DockerClient,
  options: EngineNetworkOptions,
  installationId: string,
): Promise<AddressPlan> {
  const found = await inspectNetwork(client, options.name);
  if (found !== null) return found;
  const subnets = options.subnet === undefined ? SUBNETS : [options.subnet];
  let answer = '';
  for (const subnet of subnets) {
    try {
      await createNetwork(client, options.name, subnet, installationId);
    } catch (error) {
      if (!isRefusal(error, 400, 403, 409, 500)) throw error;
      answer = refusal(error)?.answer ?? ''; // the subnet overlaps another, or somebody was faster
    }
    const made = await inspectNetwork(client, options.name);
    if (made !== null) return made;
  }
  throw new OperationalError({
    code: 'ENGINE_START_FAILED',
    message:
      `The Docker network ${options.name} could not be created with ${subnets.join(', ')}: ${answer}. ` +
      'Remove networks that are not used (`docker network prune`), or set `host.docker.subnet` to a subnet that is free.',
    retryable: false,
    details: { network: options.name, subnets },
  });
}

async function inspectNetwork(client: DockerClient, name: string): Promise<AddressPlan | null> {
  const network = await orNull(client.call(`describe the network ${name}`, () => client.docker.getNetwork(name).inspect()));
  if (network === null) return null;
  const pool = network.IPAM?.Config?.find((config) => parseIpv4Block(config.Subnet ?? '') !== null);
  return { subnet: pool?.Subnet ?? null, ipRange: pool?.IPRange || null, gateway: pool?.Gateway || null };
}

async function createNetwork(client: DockerClient, name: string, subnet: string, installationId: string): Promise<void> {
  const block = parseIpv4Block(subnet);
  if (block === null || block.size < 8) {
    throw new OperationalError({
      code: 'ENGINE_START_FAILED',
      message: `"${subnet}" is no IPv4 subnet with room for engines. Set \`host.docker.subnet\` to one like 10.213.0.0/20.`,
      retryable: false,
    });
  }
  const rangeSize = Math.min(256, block.size / 2);
  await client.call(`create the network ${name}`, (abortSignal) =>
    client.docker.createNetwork({
      Name: name,
      CheckDuplicate: true,
      Driver: 'bridge',
      IPAM: {
        Driver: 'default',
        Config: [
          { Subnet: subnet, IPRange: `${formatIpv4(block.first)}/${32 - Math.log2(rangeSize)}`, Gateway: formatIpv4(block.first + 1) },
        ],
      },
      Labels: { [LABELS.installation]: installationId },
      abortSignal,
    }),
  );
}
