import type { Namespace } from '../../support/netns';
import { Daemon } from './daemon';
import { until } from '../../support/until';

/** Between two segments as tcpdump prints them: the next one's time. */
const TIME = /^\d\d:\d\d:\d\d\.\d{6} /m;

/** Bytes of a packet that are kept, and KiB for packets that wait to be printed. */
const ROOM = ['-s', '2048', '-B', '32768'];

/** The real tcpdump, with `-n -S -X`, at an interface. */
export class Sniffer {
  private constructor(private readonly daemon: Daemon) {}

  /** @param file written as well, as with `-w` */
  static async start(
    namespace: Namespace,
    device: string,
    filter: string,
    file?: string,
  ): Promise<Sniffer> {
    const how = ['-n', '-S', '-X', '-l', '-U', '--immediate-mode', '-Z', 'root', ...ROOM];
    const write = file === undefined ? [] : ['--print', '-w', file];
    const command = ['tcpdump', ...how, ...write, '-i', device, filter];
    return new Sniffer(await Daemon.start(namespace, command, /listening on/));
  }

  /** What has passed so far. */
  segments(): string[] {
    return segmentsOf(this.daemon.output);
  }

  /** Waits until `done` is content with what has passed, and ends. */
  async stop(done: (segments: string[]) => boolean): Promise<string[]> {
    await until(() => this.segments(), done);
    return segmentsOf(await this.daemon.stop());
  }
}

/** Lines with the dump below them, without the time. */
export function segmentsOf(output: string): string[] {
  return output
    .split(TIME)
    .slice(1)
    .map((segment) => {
      const lines = segment.split('\n');
      const end = lines.findIndex((line, index) => index > 0 && !line.startsWith('\t'));
      return lines.slice(0, end < 0 ? undefined : end).join('\n');
    });
}
