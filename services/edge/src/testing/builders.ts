// The builders of core serve its neighbours' tests, too.
export * from '../../../../packages/core/src/testing/builders.ts';
