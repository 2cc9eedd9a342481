// Makes src/graphql/generated.ts from schema.graphql: `npm run codegen`. `npm run check` fails when the two disagree.
// The examples' documents are typed from it as well, as their users would do it.
import type { CodegenConfig } from '@graphql-codegen/cli';
import type { Types } from '@graphql-codegen/plugin-helpers';
import { isAbstractType } from 'graphql';
import type { GraphQLSchema } from 'graphql';

const answers = '../core/answers.js';
const problems = '../core/problems.js';

/** What resolvers return for these types is what core answers. Aliased, since the schema's own types have the same names. */
const mapped = (module: string, ...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `${module}#${name} as Core${name}`]));

/** A front end's typed documents: `graphql('query …')` in its operations.ts knows the answers' types. */
const frontEnd: Types.ConfiguredOutput = {
  documents: 'examples/front-end/operations.ts',
  preset: 'client',
  presetConfig: { fragmentMasking: false },
  config: {
    useTypeImports: true,
    enumsAsTypes: true,
    onlyOperationTypes: true,
    strictScalars: true,
    scalars: { ByteCount: 'number', DateTime: 'string', Upload: { input: 'Blob', output: 'never' } },
  },
};

/** Which types each interface and union may be, for Apollo's cache. Elsewhere: the plugin @graphql-codegen/fragment-matcher. */
function possibleTypes(schema: GraphQLSchema): string {
  const abstract = Object.values(schema.getTypeMap()).filter((type) => isAbstractType(type));
  const types = abstract.map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)] as const);
  return `export const possibleTypes: Record<string, string[]> = ${JSON.stringify(Object.fromEntries(types), null, 2)};\n`;
}

/** A file of one function's making. */
const madeBy = (make: (schema: GraphQLSchema) => string): Types.ConfiguredOutput => ({
  preset: {
    buildGeneratesSection: ({ baseOutputDir, ...options }) => [
      { ...options, filename: baseOutputDir, plugins: [{ made: {} }], pluginMap: { made: { plugin: make } } },
    ],
  },
});

const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'examples/front-end/generated/': frontEnd,
    'examples/apollo/src/generated/possible-types.ts': madeBy(possibleTypes),
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
