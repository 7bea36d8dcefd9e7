//! Tests of the commands that query a cluster. Each command is a process, and its servers are
//! controlled by the test.

#[path = "../support/fake_server.rs"]
mod fake_server;
#[expect(dead_code, reason = "these tests only wait for events")]
#[path = "../support/wait.rs"]
mod wait;

mod bench;
mod coordinator;
mod hook;
mod process;
mod servers;
mod services;
mod watch;
