// The names of everything in the store. One prefix, in braces: a Redis Cluster keeps all keys with the same text in braces together
// (its hash tag), so that scripts may use several.
export class Keys {
  /** Of every key, without the colon that follows. */
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = `{${prefix}}`;
  }

  /** When, and in which run of the server, this store's memory began. Lapses long after its last use, as all keys do. */
  get memory(): string {
    return `${this.prefix}:memory`;
  }

  claim(target: string): string {
    return `${this.prefix}:claim:${target}`;
  }

  finished(upload: string, target: string): string {
    return `${this.prefix}:finished:${target}:${upload}`;
  }

  chore(chore: string): string {
    return `${this.prefix}:chore:${chore}`;
  }

  /** The last state of an upload. */
  progress(id: string): string {
    return `${this.prefix}:progress:${id}`;
  }

  /** Which chunks of an upload are on its host. */
  received(id: string): string {
    return `${this.prefix}:received:${id}`;
  }

  /** Exists within a script alone. */
  found(id: string): string {
    return `${this.prefix}:found:${id}`;
  }

  /** What a person has under way. */
  personBook(person: string): string {
    return `${this.prefix}:uploads:${this.part(person)}`;
  }

  /** What is promised of a file system's space. */
  spaceBook(space: string): string {
    return `${this.prefix}:space:${space}`;
  }

  /** What somebody else chose, as a part of a key that ends nowhere else: without colons. */
  part(text: string): string {
    return encodeURIComponent(text);
  }

  /** The channel on which an upload's states are told. */
  told(id: string): string {
    return `${this.prefix}:told:${id}`;
  }
}
