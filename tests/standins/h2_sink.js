// Answers as Windmill does, over TLS, and over HTTP/2 to who offers it. Prints its port, and tells at /seen what came:
// how many connections, of which version, and the most streams that were open at a time.
//     node h2_sink.js CERTIFICATE KEY
'use strict';
const fs = require('fs');
const http2 = require('http2');

const seen = {connections: 0, versions: [], jobs: [], streams_most: 0};
let open = 0;

const server = http2.createSecureServer({
  cert: fs.readFileSync(process.argv[2]), key: fs.readFileSync(process.argv[3]), allowHTTP1: true,
});
server.on('secureConnection', () => ++seen.connections);
server.on('request', (request, response) => {
  const url = new URL(request.url, 'https://x');
  if (url.pathname === '/seen') return response.end(JSON.stringify(seen));
  seen.streams_most = Math.max(seen.streams_most, ++open);
  if (!seen.versions.includes(request.httpVersion)) seen.versions.push(request.httpVersion);
  request.resume();
  request.on('end', () => setTimeout(() => {
    --open;
    const job = url.searchParams.get('job_id');
    seen.jobs.push(job);
    response.writeHead(201, {'content-type': 'text/plain'});
    response.end(job);
  }, 20));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
