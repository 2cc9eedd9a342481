// The paths in what sftp-recorder.mjs has kept (draft-ietf-secsh-filexfer-02 §6, OpenSSH PROTOCOL §4).
const EXTENDED = 200;
const RENAME = 18;
/** Requests whose first field behind the id is a path: OPEN, LSTAT, SETSTAT, OPENDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK. */
const WITH_PATH = [3, 7, 9, 11, 13, 14, 15, 16, 17, RENAME, 19, 20];
const WITH_PATHS: Readonly<Record<string, number>> = {
  'posix-rename@openssh.com': 2,
  'hardlink@openssh.com': 2,
  'statvfs@openssh.com': 1,
};

/** In latin1: each byte is a character. */
export function recordedPaths(record: Buffer): ReadonlySet<string> {
  const paths = new Set<string>();
  for (let at = 0; at < record.length; at += 4 + record.readUInt32BE(at)) {
    const type = record[at + 4] ?? 0;
    let field = at + 9;
    const next = (): string => {
      const length = record.readUInt32BE(field);
      field += 4 + length;
      return record.toString('latin1', field - length, field);
    };
    const count = type === EXTENDED ? (WITH_PATHS[next()] ?? 0) : WITH_PATH.includes(type) ? (type === RENAME ? 2 : 1) : 0;
    for (let each = 0; each < count; each += 1) paths.add(next());
  }
  return paths;
}
