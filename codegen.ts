// Makes src/graphql/generated.ts from schema.graphql: `npm run codegen`. `npm run check` fails when the two disagree.
import type { CodegenConfig } from '@graphql-codegen/cli';

const answers = '../core/answers.js';
const problems = '../core/problems.js';

/** What resolvers return for these types is what core answers. Aliased, since the schema's own types have the same names. */
const mapped = (module: string, ...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `${module}#${name} as Core${name}`]));

const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'src/graphql/generated.ts': {
      plugins: ['typescript', 'typescript-resolvers'],
      config: {
        importExtension: '.js',
        useTypeImports: true,
        enumsAsTypes: true,
        immutableTypes: true,
        strictScalars: true,
        contextType: './context.js#GraphQLContext',
        scalars: {
          ID: 'string',
          ByteCount: 'number',
          DateTime: 'number',
          Upload: 'Promise<import("./multipart.js").FileUpload>',
        },
        mappers: {
          Host: `${answers}#HostAnswer`,
          ...mapped(answers, 'UploadReady', 'UploadResumable', 'UploadFinished', 'UploadAborted', 'DirInfo', 'StoredChunk'),
          ...mapped(answers, 'ChunkStored', 'MergeStarted', 'UploadPage', 'UploadSummary'),
          ...mapped(problems, 'Problem', 'FileExists', 'UploadLocked', 'ChunksMissing', 'DigestMismatch', 'TryAgainLater'),
          ...mapped(problems, 'Refused', 'ChunkRange'),
          ...mapped('../core/progress.js', 'MergeProgress'),
        },
      },
    },
  },
};

export default config;
