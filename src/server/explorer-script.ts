import { scriptValue } from './page-frame.js';

const FIRST_QUERY = `query Pull($since: Checkpoint, $limit: Int) {
  pull(since: $since, limit: $limit) {
    changes {
      collection
      id
      version
      kind
      changedAt
      pending
      json
    }
    receipts {
      changeId
      status
      error { code message }
    }
    checkpoint
    hasMore
    complete
  }
}
`;
const FIRST_VARIABLES = '{\n  "since": null,\n  "limit": 10\n}';

/** Types three wrappers deep: `[Change!]!`. */
const INTROSPECTION = `{
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types {
      kind name description
      fields { name description args { name description type { ...T } } type { ...T } }
      inputFields { name description type { ...T } }
      enumValues { name description }
    }
  }
}
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;

/** What runs in the browser: no library, no HTML from texts, and nothing that the page's policy would have to loosen. */
export const EXPLORER_SCRIPT = `
'use strict';
(function () {
  var byId = function (id) { return document.getElementById(id); };
  var query = byId('query'), variables = byId('variables'), headers = byId('headers'), device = byId('device');
  var result = byId('result'), hints = byId('hints'), listenButton = byId('listen'), againButton = byId('again');
  query.value = ${scriptValue(FIRST_QUERY)};
  variables.value = ${scriptValue(FIRST_VARIABLES)};
  headers.value = '{}';

  function say(text, isBad) {
    byId('state').textContent = text;
    byId('state').className = isBad ? 'bad' : '';
  }

  function readJson(area, name) {
    if (area.value.trim() === '') return {};
    try {
      var value = JSON.parse(area.value);
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    } catch (fault) {
      area.focus();
      throw new Error(name + ': ' + fault.message);
    }
    area.focus();
    throw new Error(name + ': expected a JSON object');
  }

  // Requests.

  async function ask(text, values) {
    var head = Object.assign({ 'content-type': 'application/json', accept: 'application/json' }, readJson(headers, 'Headers'));
    if (device.value !== '') head['tidegate-device'] = device.value;
    var answer = await fetch('/graphql', {
      method: 'POST', headers: head, body: JSON.stringify({ query: text, variables: values }) });
    return { status: answer.status, text: await answer.text() };
  }

  var checkpoint = null, latest = 0;
  async function run() {
    var turn = ++latest;
    try {
      var values = readJson(variables, 'Variables');
      say('running …');
      var startedAt = performance.now();
      var answer = await ask(query.value, values);
      if (turn !== latest) return;
      var body = JSON.parse(answer.text);
      result.textContent = JSON.stringify(body, null, 2);
      var took = Math.round(performance.now() - startedAt);
      say(answer.status + ' · ' + took + ' ms · ' + answer.text.length.toLocaleString('en') + ' characters', 'errors' in body);
      Object.values(body.data || {}).forEach(function (value) {
        if (value && typeof value.checkpoint === 'string') checkpoint = value.checkpoint;
      });
      againButton.disabled = checkpoint === null;
    } catch (fault) {
      if (turn === latest) say(fault.message, true);
    }
  }

  function again() {
    try {
      if (!/\\$since\\b/.test(query.value)) throw new Error('The query needs a variable: query Pull($since: Checkpoint) { pull(since: $since) … }');
      var values = readJson(variables, 'Variables');
      values.since = checkpoint;
      variables.value = JSON.stringify(values, null, 2);
      void run();
    } catch (fault) {
      say(fault.message, true);
    }
  }

  // Hints, over graphql-transport-ws.

  var socket = null;
  function listen() {
    if (socket !== null) return socket.close(1000, 'enough');
    var extra;
    try { extra = readJson(headers, 'Headers'); } catch (fault) { return say(fault.message, true); }
    var own = socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/graphql', 'graphql-transport-ws');
    var send = function (message) { own.send(JSON.stringify(message)); };
    own.onopen = function () {
      var payload = {};
      if (device.value !== '') payload.device = device.value;
      Object.keys(extra).forEach(function (name) {
        if (name.toLowerCase() === 'authorization') payload.authorization = extra[name];
      });
      send({ type: 'connection_init', payload: payload });
    };
    own.onmessage = function (event) {
      var message = JSON.parse(event.data);
      if (message.type === 'ping') send({ type: 'pong' });
      if (message.type === 'connection_ack') {
        send({ id: 'hints', type: 'subscribe', payload: { query: 'subscription { hints { collections at } }' } });
        showHint('listening: pull when a hint comes');
      }
      if (message.type === 'next') {
        var hint = message.payload.data && message.payload.data.hints;
        showHint(hint ? hint.at + '  ' + hint.collections.join(', ') : JSON.stringify(message.payload));
      }
      if (message.type === 'error') showHint('refused: ' + message.payload.map(function (one) { return one.message; }).join('; '));
      if (message.type === 'complete' || message.type === 'error') own.close(1000, 'over');
    };
    own.onclose = function (event) {
      if (socket === own) socket = null;
      showHint('closed (' + event.code + (event.reason ? ', ' + event.reason : '') + ')');
      listenButton.setAttribute('aria-pressed', 'false');
      listenButton.textContent = 'Listen for hints';
    };
    listenButton.setAttribute('aria-pressed', 'true');
    listenButton.textContent = 'Stop listening';
  }

  function showHint(text) {
    hints.append(element('li', '', text));
    hints.scrollTop = hints.scrollHeight;
  }

  // The schema.

  function element(name, className, text) {
    var made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  }

  function typeName(type) {
    if (type.kind === 'NON_NULL') return typeName(type.ofType) + '!';
    if (type.kind === 'LIST') return '[' + typeName(type.ofType) + ']';
    return type.name;
  }

  function innermost(type) { return type.ofType ? innermost(type.ofType) : type; }

  function insertion(member, kind) {
    if (kind === 'ENUM') return member.name;
    if (kind === 'INPUT_OBJECT') return member.name + ': ';
    var needed = member.args.filter(function (arg) { return arg.type.kind === 'NON_NULL'; });
    var given = needed.map(function (arg) { return arg.name + ': $' + arg.name; }).join(', ');
    var isLeaf = ['SCALAR', 'ENUM'].includes(innermost(member.type).kind);
    return member.name + (given ? '(' + given + ')' : '') + (isLeaf ? '' : ' {\\n  __typename\\n}');
  }

  function renderMember(member, kind) {
    var item = element('li');
    var button = element('button', 'field', member.name);
    button.onclick = function () {
      query.setRangeText(insertion(member, kind) + '\\n', query.selectionStart, query.selectionEnd, 'end');
      query.focus();
    };
    item.append(button);
    var args = (member.args || []).map(function (arg) { return arg.name + ': ' + typeName(arg.type); }).join(', ');
    if (member.type) item.append(element('span', 'type', (args ? '(' + args + ')' : '') + ': ' + typeName(member.type)));
    if (member.description) item.append(element('p', '', member.description));
    return item;
  }

  function renderType(type, isOpen) {
    var members = type.fields || type.inputFields || type.enumValues || [];
    var details = element('details');
    details.open = isOpen;
    details.dataset.words = [type.name].concat(members.map(function (one) { return one.name; })).join(' ').toLowerCase();
    var summary = element('summary', '', type.name + ' ');
    summary.append(element('span', 'soft', type.kind.toLowerCase().replace('_', ' ')));
    details.append(summary);
    if (type.description) details.append(element('p', '', type.description));
    var list = element('ul');
    members.forEach(function (member) { list.append(renderMember(member, type.kind)); });
    details.append(list);
    return details;
  }

  async function showSchema() {
    try {
      var body = JSON.parse((await ask(${scriptValue(INTROSPECTION)}, {})).text);
      if (!body.data) throw new Error(body.errors[0].message);
      var schema = body.data.__schema;
      var roots = [schema.queryType, schema.mutationType, schema.subscriptionType]
        .filter(Boolean).map(function (root) { return root.name; });
      var order = ['OBJECT', 'INTERFACE', 'INPUT_OBJECT', 'ENUM', 'SCALAR', 'UNION'];
      var rank = function (type) { return roots.includes(type.name) ? roots.indexOf(type.name) - 9 : order.indexOf(type.kind); };
      schema.types
        .filter(function (type) { return !type.name.startsWith('__'); })
        .sort(function (a, b) { return rank(a) - rank(b) || a.name.localeCompare(b.name); })
        .forEach(function (type) { byId('schema').append(renderType(type, roots.includes(type.name))); });
    } catch (fault) {
      byId('schema').append(element('p', '', 'The schema cannot be read: ' + fault.message));
    }
  }

  byId('search').oninput = function (event) {
    var words = event.target.value.trim().toLowerCase();
    byId('schema').querySelectorAll('details').forEach(function (details) {
      details.hidden = !details.dataset.words.includes(words);
    });
  };
  byId('run').onclick = function () { void run(); };
  againButton.onclick = again;
  listenButton.onclick = listen;
  document.addEventListener('keydown', function (event) {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void run();
  });
  void showSchema();
})();`;
