// PouchDB Server in memory, on a loopback port of its own choice, which it
// prints. It ends with its standard input, so that it does not outlive a test.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pouchdb-'));
const leave = () => {
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(0);
};
process.stdin.on('end', leave).on('error', leave).resume();
process.on('SIGTERM', leave);

// Some requests make it throw where nobody catches, and are never answered.
process.on('unhandledRejection', () => {});
process.on('uncaughtException', () => {});

const PouchDB = require('pouchdb-core')
  .plugin(require('pouchdb-adapter-memory'))
  .plugin(require('pouchdb-adapter-http'))
  .plugin(require('pouchdb-mapreduce'))
  .plugin(require('pouchdb-replication'));

const app = require('express')();
app.use('/', require('express-pouchdb')(
  PouchDB.defaults({ prefix: folder + path.sep, adapter: 'memory' }),
  { configPath: path.join(folder, 'config.json'), logPath: path.join(folder, 'log.txt') },
));

const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
