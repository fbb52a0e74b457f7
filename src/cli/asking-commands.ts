import type { Command } from 'commander';
import { connectGateway, type GatewayClient } from './gateway-client.js';

/** What every command takes that asks a running gateway. */
export interface AskOptions {
  readonly url?: string;
  readonly json?: true;
}

/** Commands below one word, like `tidegate outbox …`, each of which asks a running gateway and prints its answer. */
export interface AskingCommands {
  readonly command: (usage: string, description: string) => Command;
  /** Asks, and prints the answer for people or as JSON. @throws StartupError config, gateway, refused */
  readonly run: <Answer>(
    options: AskOptions,
    ask: (gateway: GatewayClient) => Promise<Answer>,
    page: (answer: Answer) => string,
  ) => Promise<void>;
}

export function askingCommands(parent: Command, env: Readonly<Record<string, string | undefined>>): AskingCommands {
  return {
    command(usage, description) {
      return parent
        .command(usage)
        .description(description)
        .option('--url <address>', 'of the gateway; else HOST and PORT, or the configuration here')
        .option('--json', 'print the answer of the API instead of text for people');
    },
    async run(options, ask, page) {
      const answer = await ask(await connectGateway(env, options.url));
      process.stdout.write(options.json === true ? `${JSON.stringify(answer, null, 2)}\n` : page(answer));
    },
  };
}
