// What this page asks. Every answer may be a problem, also one that a later gateway invents: `... on Problem` catches them all.
import { graphql } from './generated';

export const PROBLEM = graphql(`
  fragment ProblemFacts on Problem {
    __typename
    code
    message
    retryable
    ... on TryAgainLater {
      retryAfterMs
    }
    ... on FileExists {
      etag
    }
  }
`);

export const HOSTS = graphql(`
  query Hosts {
    hosts {
      id
      name
      roots
    }
  }
`);

export const UPLOAD_STATUS = graphql(`
  query UploadStatus($file: FileRef!, $size: ByteCount!, $ifExists: IfExists!, $ifMatch: String) {
    uploadStatus(file: $file, size: $size, ifExists: $ifExists, ifMatch: $ifMatch) {
      __typename
      ...ProblemFacts
    }
  }
`);

export const DIR_INFO = graphql(`
  query DirInfo($file: FileRef!) {
    dirInfo(file: $file) {
      __typename
      ... on DirInfo {
        chunkSize
        chunkCount
        uploadedBytes
        missing {
          first
          last
        }
      }
      ...ProblemFacts
    }
  }
`);

export const UPLOAD_CHUNK = graphql(`
  mutation UploadChunk($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {
    uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) {
      __typename
      ... on ChunkStored {
        uploadedBytes
      }
      ...ProblemFacts
    }
  }
`);

export const MERGE_FILE = graphql(`
  mutation MergeFile($file: FileRef!, $chunkCount: Int!, $ifExists: IfExists!, $ifMatch: String) {
    mergeFile(file: $file, chunkCount: $chunkCount, ifExists: $ifExists, ifMatch: $ifMatch) {
      __typename
      ...ProblemFacts
    }
  }
`);

export const MERGE_PROGRESS = graphql(`
  subscription MergeProgress($file: FileRef!) {
    mergeProgress(file: $file) {
      phase
      percent
      problem {
        ...ProblemFacts
      }
    }
  }
`);
