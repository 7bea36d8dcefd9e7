//! The command line, as in airlift's launcher. Options may come before or after the command.

use clap::{Parser, ValueEnum};
use quorate::config::CommandLine;
use std::path::PathBuf;

/// The command for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CliCommand {
    /// Run the server in the foreground.
    Run,
    /// Start the server in the background.
    Start,
    /// Stop the server with SIGTERM and wait until it has exited.
    Stop,
    /// Stop the server, then start it in the background.
    Restart,
    /// Kill the server with SIGKILL.
    Kill,
    /// Print whether the server is running; exit with code 0 if it is, and 3 if it is not.
    Status,
}

/// A consensus-based service-discovery server for Presto and Trino.
#[derive(Debug, Parser)]
#[command(
    name = "quorate",
    version,
    after_help = "Commands that query a running cluster (each has its own --help):
  quorate cluster              Show the state of the cluster
  quorate coordinator          Print the address of the current coordinator
  quorate services [TYPE]      Print the announced services
  quorate watch TYPE           Print the services of a type, then each change
  quorate bench WORKLOAD       Measure throughput and latency under load

Commands that need no running server:
  quorate log DIR              Print the committed log of a stopped node
  quorate token NAME           Make a token for a person or a tool"
)]
pub struct CliArguments {
    /// Command to run.
    #[arg(value_enum)]
    pub command: CliCommand,
    /// Print the path of every file and directory in use.
    #[arg(short, long)]
    pub verbose: bool,
    /// Configuration directory; defaults to INSTALL_PATH/etc.
    #[arg(long, value_name = "DIR")]
    etc_dir: Option<PathBuf>,
    /// Accepted for compatibility with airlift's launcher; not read.
    #[arg(long, value_name = "FILE")]
    launcher_config: Option<PathBuf>,
    /// Node properties; defaults to ETC_DIR/node.properties.
    #[arg(long, value_name = "FILE")]
    node_config: Option<PathBuf>,
    /// Accepted for compatibility with airlift's launcher; not read.
    #[arg(long, value_name = "FILE")]
    jvm_config: Option<PathBuf>,
    /// Configuration file; defaults to ETC_DIR/config.properties.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log levels; defaults to ETC_DIR/log.properties.
    #[arg(long, value_name = "FILE")]
    log_levels_file: Option<PathBuf>,
    /// Data directory; defaults to node.data-dir, else to INSTALL_PATH.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Pid file; defaults to DATA_DIR/var/run/launcher.pid.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Launcher log; defaults to DATA_DIR/var/log/launcher.log (only with `start` and `restart`).
    #[arg(long, value_name = "FILE")]
    launcher_log_file: Option<PathBuf>,
    /// Server log; defaults to DATA_DIR/var/log/server.log (only with `start` and `restart`).
    #[arg(long, value_name = "FILE")]
    server_log_file: Option<PathBuf>,
    /// Accepted for compatibility with airlift's launcher; ignored, because there is no JVM.
    #[arg(short = 'J', value_name = "OPT", allow_hyphen_values = true)]
    jvm_options: Vec<String>,
    /// Set a property; overrides the configuration files.
    #[arg(short = 'D', value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// Set by `start`: the pid file is inherited, already locked.
    #[arg(long, hide = true)]
    detached: bool,
}

impl CliArguments {
    /// Returns the options that the configuration reads.
    pub fn command_line(&self) -> CommandLine {
        CommandLine {
            etc_dir: self.etc_dir.clone(),
            config: self.config.clone(),
            node_config: self.node_config.clone(),
            log_levels_file: self.log_levels_file.clone(),
            data_dir: self.data_dir.clone(),
            pid_file: self.pid_file.clone(),
            launcher_log_file: self.launcher_log_file.clone(),
            server_log_file: self.server_log_file.clone(),
            properties: self.properties.clone(),
            detached: self.detached
                || matches!(self.command, CliCommand::Start | CliCommand::Restart),
        }
    }

    /// Returns whether this process is the child of `start`.
    pub fn is_detached_child(&self) -> bool {
        self.detached
    }
}

/// Parses `NAME=VALUE`. Refuses what airlift's launcher refuses, with the same messages.
fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("property is malformed: {text}"))?;
    match key.trim() {
        "config" => Err("cannot specify config using -D option (use --config)".into()),
        "log.output-file" => {
            Err("cannot specify server log using -D option (use --server-log-file)".into())
        }
        "log.levels-file" => {
            Err("cannot specify log levels using -D option (use --log-levels-file)".into())
        }
        key => Ok((key.to_owned(), value.trim().to_owned())),
    }
}
