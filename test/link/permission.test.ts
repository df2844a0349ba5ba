import { hasCapability, permissionError, type PermissionFacts } from '../../lib/link/permission';

const EPERM = 1;

const status = (uid: number, capabilities: string) =>
  `Name:\tnode\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nCapEff:\t${capabilities}\n`;

const NONE = '0000000000000000';
const INITIAL = '0          0 4294967295';

const facts = (more: Partial<PermissionFacts>): PermissionFacts => ({
  status: status(1000, NONE),
  uidMap: INITIAL,
  appArmorRestricts: null,
  ...more,
});

const messageOf = (more: Partial<PermissionFacts>) =>
  permissionError(EPERM, 'socket', 'what', ['CAP_NET_RAW', 'CAP_NET_ADMIN'], facts(more)).message;

describe('an error of permissions', () => {
  it("is Node's", () => {
    expect(permissionError(EPERM, 'socket', 'what', ['CAP_NET_RAW'], facts({}))).toMatchObject({
      code: 'EPERM',
      errno: -1,
      syscall: 'socket',
      message: expect.stringMatching(/^socket EPERM: operation not permitted, what; CAP_NET_RAW/),
    });
  });

  it('tells an ordinary user of setcap and namespaces', () => {
    const message = messageOf({});
    expect(message).toContain(
      'sudo setcap cap_net_raw,cap_net_admin+ep "$(readlink -f "$(command -v node)")"',
    );
    expect(message).toContain('unshare -Urn');
  });

  it('names only what is missing', () => {
    const message = messageOf({ status: status(1000, '0000000000002000') });
    expect(message).toContain('; CAP_NET_ADMIN is missing');
  });

  it('notices a user namespace whose capabilities were stripped', () => {
    const stripped = { status: status(0, NONE), uidMap: '0 1000 1' };
    expect(messageOf({ ...stripped, appArmorRestricts: '1' })).toContain(
      'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    );
    expect(messageOf(stripped)).toContain('was taken away: sudo setcap');
  });

  it('notices root without capabilities, as in a container', () => {
    expect(messageOf({ status: status(0, NONE) })).toContain(
      '--cap-add=NET_RAW --cap-add=NET_ADMIN',
    );
  });

  it('says something where /proc says nothing', () => {
    expect(messageOf({ status: null, uidMap: null })).toContain('setcap');
    expect(hasCapability('CAP_NET_RAW', facts({ status: null }))).toBe(true);
    expect(hasCapability('CAP_NET_RAW', facts({}))).toBe(false);
  });
});
