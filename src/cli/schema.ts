import { printSchemaOf } from '../server/app.js';
import { loadConfig } from '../server/config.js';
import { demoConfig } from './demo.js';

/** `tidegate schema`: the SDL of the configured collections, for Apollo Kotlin, Apollo iOS and graphql-codegen. */
export async function schema(
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly demo: boolean },
): Promise<void> {
  const config = await loadConfig(
    env,
    process.cwd(),
    options.demo ? demoConfig('http://127.0.0.1', 'http://127.0.0.1') : {},
  );
  process.stdout.write(await printSchemaOf(config));
}
