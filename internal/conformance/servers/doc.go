// Package servers finds the database servers that the suites run on, or starts
// them: private instances on a loopback port, in a temporary folder, as an
// unprivileged user.
//
// For each engine, in this order:
//
//  1. the server named in the environment ([PostgresEnv], [MariaDBEnv], [MySQLEnv]). It
//     must be one that nobody else needs: suites create, drop and break databases;
//  2. the installed binaries, started once per test binary;
//  3. a skip that gives the reason, or a failure where [RequireEnv] says so.
//
// A test binary calls [Main] from its TestMain. Command withservers starts all
// of them once for several test binaries and hands them over as 1.
package servers
