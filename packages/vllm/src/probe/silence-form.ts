/**
 * A rate whose numbers, like all others in this file's header, have no byte above 127: so the whole body is plain text in UTF-8,
 * as the other probes are. Engines resample anyway.
 */
const SAMPLES_PER_SECOND = 8192;
const BYTES_PER_SAMPLE = 2;
/** 29.98 s. Whisper cuts audio into windows of 30 s, so this is one full window. */
const DATA_BYTES = 0x7_7f_00;
const BOUNDARY = 'berth-probe';

/** Thirty seconds of silence as a multipart form for `/v1/audio/transcriptions`: a WAV file, one channel, 16 bits. */
export function silenceForm(model: string): { readonly body: string; readonly contentType: string } {
  const parts = [
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n`,
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="silence.wav"\r\nContent-Type: audio/wav\r\n\r\n`,
    silentWav(),
    `\r\n--${BOUNDARY}--\r\n`,
  ];
  return { body: parts.join(''), contentType: `multipart/form-data; boundary=${BOUNDARY}` };
}

function silentWav(): string {
  const format = [
    littleEndian(1, 2), // PCM
    littleEndian(1, 2), // channels
    littleEndian(SAMPLES_PER_SECOND, 4),
    littleEndian(SAMPLES_PER_SECOND * BYTES_PER_SAMPLE, 4),
    littleEndian(BYTES_PER_SAMPLE, 2),
    littleEndian(8 * BYTES_PER_SAMPLE, 2),
  ].join('');
  const chunks = `WAVEfmt ${littleEndian(format.length, 4)}${format}data${littleEndian(DATA_BYTES, 4)}`;
  return `RIFF${littleEndian(chunks.length + DATA_BYTES, 4)}${chunks}${'\0'.repeat(DATA_BYTES)}`;
}

function littleEndian(value: number, bytes: number): string {
  return String.fromCodePoint(...Array.from({ length: bytes }, (_value, at) => Math.floor(value / 256 ** at) % 256));
}
