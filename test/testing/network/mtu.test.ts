import { connectPair, sleep, tell } from '../../scenarios/support';

describe("the MTU of a host's own cable", () => {
  test('connections that there are follow it, both ways, and nobody is told', async () => {
    await tell({}, async (scene) => {
      const { network, cable, client } = scene;
      const { near, far } = await connectPair(scene);
      const send = async (): Promise<number> => {
        const [from, before] = [network.now, far.received.length];
        near.socket.write(Buffer.alloc(20_000));
        await far.has(before + 20_000);
        const sent = network.trace.segments({ from: 'client', data: true });
        return Math.max(...sent.filter(({ time }) => time >= from).map(({ length }) => length));
      };
      expect(await send()).toBe(1448);
      cable.set({ mtu: 1000 }, { from: client });
      expect(await send()).toBe(948);
      expect(near.socket.tcpInfo()).toMatchObject({ tcpi_pmtu: 1000, tcpi_snd_mss: 948 });
      cable.set({ mtu: 1300 });
      expect(await send()).toBe(1248);
      // The peer has said what it takes.
      cable.set({ mtu: 9000 });
      expect(await send()).toBe(1448);
      expect(near.events).toEqual(['connect']);
    });
  });

  test('what is lost for being too large is sent again in pieces', async () => {
    await tell({}, async (scene) => {
      const { near, far } = await connectPair(scene);
      scene.cable.cut();
      near.socket.write(Buffer.alloc(10_000));
      await sleep(5);
      scene.cable.set({ mtu: 600 });
      scene.cable.heal();
      await far.has(10_000);
      expect(scene.cable.counters.client.lost).not.toHaveProperty('mtu');
    });
  });
});
