export const possibleTypes: Record<string, string[]> = {
  "AbortUploadResult": [
    "Refused",
    "TryAgainLater",
    "UploadAborted",
    "UploadFinished",
    "UploadLocked"
  ],
  "DirInfoResult": [
    "DirInfo",
    "Refused",
    "TryAgainLater",
    "UploadFinished",
    "UploadLocked"
  ],
  "MergeFileResult": [
    "ChunksMissing",
    "FileExists",
    "MergeStarted",
    "Refused",
    "TryAgainLater",
    "UploadLocked"
  ],
  "Problem": [
    "ChunksMissing",
    "DigestMismatch",
    "FileExists",
    "Refused",
    "TryAgainLater",
    "UploadLocked"
  ],
  "UploadChunkResult": [
    "ChunkStored",
    "DigestMismatch",
    "Refused",
    "TryAgainLater",
    "UploadFinished",
    "UploadLocked"
  ],
  "UploadStatusResult": [
    "FileExists",
    "Refused",
    "TryAgainLater",
    "UploadFinished",
    "UploadLocked",
    "UploadReady",
    "UploadResumable"
  ]
};
