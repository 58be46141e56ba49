// A model server on loopback that answers by the words of the last message, and counts. Usage: provider.mjs; prints its address.
//   tools: two parallel calls, then what their results were   image: what it was shown   schema: JSON   refuse: 400
//   busy: 429 with Retry-After, always   slow: a word every 20 ms until the client goes
import http from 'node:http';

const stats = { requests: 0, aborted: 0 };
const chunk = (delta, finish_reason = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
const textOf = (content) => (typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join(' '));

// Codex runs commands; every other client offers get_weather.
function callsFor(tools) {
  const names = tools.map((tool) => tool.function.name);
  const shell = names.find((name) => ['shell', 'shell_command', 'exec_command'].includes(name));
  if (names.includes('get_weather')) return ['Bern', 'Rome'].map((location) => ['get_weather', { location }]);
  if (shell === 'exec_command') return ['one', 'two'].map((word) => [shell, { cmd: `echo ${word}` }]);
  if (shell === 'shell_command') return ['one', 'two'].map((word) => [shell, { command: `echo ${word}` }]);
  if (shell) return ['one', 'two'].map((word) => [shell, { command: ['echo', word] }]);
  return [];
}

const server = http.createServer(async (request, response) => {
  if (request.url === '/stats') return response.end(JSON.stringify(stats));
  stats.requests += 1;
  response.on('close', () => { if (!response.writableFinished) stats.aborted += 1; });
  let body = '';
  for await (const piece of request) body += piece;
  const asked = JSON.parse(body);
  const refuse = (status, error, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error }));
  };
  // Servers are known that take one system message only, and refuse calls without their reasoning.
  if (asked.messages.some((message, index) => index > 0 && message.role === 'system')) return refuse(400, { message: 'System message must be at the beginning.' });
  const last = asked.messages.at(-1);
  const said = textOf(asked.messages.findLast((message) => message.role === 'user')?.content);
  if (said.includes('refuse')) return refuse(400, { message: 'too long', code: 'context_length_exceeded' });
  if (said.includes('busy')) return refuse(429, { message: 'not now', code: 'rate_limit_exceeded' }, { 'retry-after': said.includes('for long') ? '600' : '1' });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const end = (text) => {
    for (const word of text.match(/\S+\s*/g)) response.write(chunk({ content: word }));
    response.write(chunk({}, 'stop'));
    response.end('data: [DONE]\n\n');
  };
  if (said.includes('slow')) {
    const timer = setInterval(() => response.write(chunk({ content: 'word ' })), 20);
    return void response.on('close', () => clearInterval(timer));
  }
  if (last.role === 'tool') {
    const missing = asked.messages.some((message) => message.tool_calls && message.reasoning_content !== 'I should look.');
    const results = asked.messages.filter((message) => message.role === 'tool').map((message) => textOf(message.content).trim());
    return end(missing ? 'the reasoning is missing' : `results: ${results.join(' and ')}`);
  }
  const calls = said.includes('tools') ? callsFor(asked.tools ?? []) : [];
  if (calls.length > 0) {
    response.write(chunk({ reasoning_content: 'I should look.' }));
    calls.forEach(([name, args], index) => {
      const call = { index, id: `call_${stats.requests}_${index}`, type: 'function', function: { name, arguments: JSON.stringify(args) } };
      response.write(chunk({ tool_calls: [call] }));
    });
    response.write(chunk({}, 'tool_calls'));
    return response.end('data: [DONE]\n\n');
  }
  if (said.includes('image')) {
    const parts = asked.messages.flatMap((message) => (Array.isArray(message.content) ? message.content : []));
    return end(`seen: ${parts.filter((part) => part.image_url?.url.startsWith('data:image/png;base64,')).length} image`);
  }
  if (said.includes('schema')) return end(asked.response_format?.type === 'json_schema' ? '{"city":"Bern"}' : 'no schema');
  end('Hello from the model');
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume();
