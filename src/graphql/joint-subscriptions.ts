import { createSourceEventStream, execute, type DocumentNode, type ExecutionArgs, type ExecutionResult } from 'graphql';

type Results = AsyncIterableIterator<ExecutionResult>;

/**
 * Subscribes as graphql-js does, but executes an event once for all who ask the same of it: the same document and variables, and the very same event
 * object. What decides who may hear of an event is decided before, by whoever hands it out: events that two may not both see are never one object, and nothing
 * in them depends on who asks.
 *
 * @returns results until the iterator is returned; or errors, when there is nothing to listen to
 */
export function createJointSubscriptions(): (args: ExecutionArgs) => Promise<Results | ExecutionResult> {
  const documents = new WeakMap<DocumentNode, number>();
  let documentCount = 0;
  const resultsOf = new WeakMap<object, Map<string, ExecutionResult | Promise<ExecutionResult>>>();

  function numberOf(document: DocumentNode): number {
    const known = documents.get(document) ?? ++documentCount;
    documents.set(document, known);
    return known;
  }

  return async (args) => {
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return source;
    const events = source[Symbol.asyncIterator]() as AsyncIterator<object>;
    const { document, operationName, variableValues } = args;
    const question = JSON.stringify([numberOf(document), operationName, variableValues]);

    function resultOf(event: object): ExecutionResult | Promise<ExecutionResult> {
      const answered = resultsOf.get(event) ?? new Map<string, ExecutionResult | Promise<ExecutionResult>>();
      resultsOf.set(event, answered);
      const known = answered.get(question);
      if (known !== undefined) return known;
      const result = execute({ ...args, rootValue: event });
      answered.set(question, result);
      return result;
    }

    const ended: IteratorResult<ExecutionResult> = { done: true, value: undefined };
    const results: Results = {
      [Symbol.asyncIterator]() {
        return this;
      },
      async next() {
        const event = await events.next();
        return event.done === true ? ended : { done: false, value: await resultOf(event.value) };
      },
      async return() {
        await events.return?.();
        return ended;
      },
      async throw(thrown: unknown) {
        await events.return?.();
        throw thrown;
      },
    };
    return results;
  };
}
