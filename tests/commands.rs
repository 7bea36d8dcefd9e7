//! The commands that ask a cluster, as processes, against servers that say what a test tells them to.

#[path = "support/fake_server.rs"]
mod fake_server;
#[expect(dead_code, reason = "these tests only wait for events")]
#[path = "support/wait.rs"]
mod wait;

#[path = "commands/coordinator.rs"]
mod coordinator;
#[path = "commands/hook.rs"]
mod hook;
#[path = "commands/process.rs"]
mod process;
#[path = "commands/servers.rs"]
mod servers;
#[path = "commands/services.rs"]
mod services;
#[path = "commands/watch.rs"]
mod watch;
