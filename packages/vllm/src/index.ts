export { hasFlag, listFlags, parseHumanInteger, readFlag } from './launch/flag-arguments.ts';
export type { FlagArgument } from './launch/flag-arguments.ts';
export { abilitiesOf, versionOfImage } from './launch/flags-by-version.ts';
export type { LaunchAbilities, VllmVersion } from './launch/flags-by-version.ts';
export { launchArguments, pinnedKvCacheBytes } from './launch/launch-arguments.ts';
export type { LaunchOptions } from './launch/launch-arguments.ts';
export { findOwnedFlags, refuseOwnedFlags } from './launch/owned-flags.ts';
export type { OwnedFlag } from './launch/owned-flags.ts';
