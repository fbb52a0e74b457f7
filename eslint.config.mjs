import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const ENVIRONMENT_RULE = {
  object: 'process',
  property: 'env',
  message: 'Only src/server/config.ts reads the environment; everything else is handed what it needs.',
};

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'src/store/generated/', '.tidegate/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        // Configurations that stand alone, as users write theirs, belong to no project.
        projectService: { allowDefaultProject: ['*.ts', 'docker/*.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // A promise that nobody waits for loses its error, and with it a change.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Functions that implement an asynchronous port are async also where they need not wait.
      '@typescript-eslint/require-await': 'off',
      // Collections come from configuration: their field names are texts, with control characters to be refused.
      'no-control-regex': 'off',
      eqeqeq: 'error',
      'no-restricted-properties': ['error', ENVIRONMENT_RULE],
    },
  },
  {
    // Resolvers' parameter types are read at run time through decorator metadata: they must be value imports.
    files: ['src/graphql/**/*.ts'],
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  {
    files: ['src/server/config.ts', '**/*.config.ts', 'test/**/*.ts', 'bench/**/*.ts', 'demo/**/*.ts', 'scripts/**'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    // Tests and measurements read answers whose type nobody declares; what they expect of them is the check.
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: { console: 'readonly', process: 'readonly', performance: 'readonly', URL: 'readonly' },
    },
  },
);
