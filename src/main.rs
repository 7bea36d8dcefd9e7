//! The binary: parses the arguments and returns the exit code.

mod cli;

use clap::Parser;
use cli::args::{CliArguments, CliCommand};
use cli::launcher::{self, Holder, LauncherError, LauncherOutcome, PidFile};
use quorate::config::{self, CommandLine, ConfigErrors, Paths, exit_code};
use quorate::{server, telemetry};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// The allocator of this process. jemalloc keeps hyper's buffers of 8 KiB on separate pages, and an
/// idle connection touches few of these pages. Ten thousand long-polled lookups therefore take a
/// quarter less memory than with the allocator of glibc.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let code = cli::run(&words).unwrap_or_else(|| server_command(&CliArguments::parse_from(words)));
    ExitCode::from(code)
}

/// Runs one of the launcher's commands, and returns the exit code.
fn server_command(arguments: &CliArguments) -> u8 {
    let options = arguments.command_line();
    let paths = match Paths::resolve(&options) {
        Ok(paths) => paths,
        Err(errors) => return config_errors(&errors, arguments.command),
    };
    if arguments.verbose {
        say(&paths.to_string());
    }
    match arguments.command {
        CliCommand::Run => run(arguments, &options, &paths),
        CliCommand::Start => start(&options, &paths),
        CliCommand::Stop => outcome(launcher::stop(&paths)),
        CliCommand::Kill => outcome(launcher::kill(&paths)),
        CliCommand::Status => status(&paths),
        CliCommand::Restart => restart(&options, &paths),
    }
}

/// Runs the server in this process until it ends, and returns the exit code.
fn run(arguments: &CliArguments, options: &CommandLine, paths: &Paths) -> u8 {
    let settings = match config::load(options) {
        Ok(settings) => settings,
        Err(errors) => return config_errors(&errors, CliCommand::Run),
    };
    // This file holds the server's lock until the process ends. The child of `start` has inherited
    // the locked file.
    let _pid_file = if arguments.is_detached_child() {
        if let Err(error) = launcher::detach() {
            print_error(&format!("cannot start a session: {error}"));
        }
        if let Err(error) = launcher::wait_recorded(paths) {
            print_error(&format!("{error:#}"));
            return exit_code::DATA_UNUSABLE;
        }
        None
    } else {
        match claim(paths) {
            Ok(pid_file) => Some(pid_file),
            Err(code) => return code,
        }
    };
    // The drop of this log, after the server has ended, writes its last lines.
    let _audit_log = match telemetry::init(&settings.log, &settings.audit_log) {
        Ok(audit_log) => audit_log,
        Err(error) => {
            print_error(&format!("{:#}", anyhow::Error::from(error)));
            return exit_code::CONFIG;
        }
    };
    for notice in &settings.notices {
        tracing::warn!(target: "quorate::config", "{notice}");
    }
    match server::run(settings) {
        Ok(()) => exit_code::OK,
        Err(error) => {
            // Report the error twice, because a person may read only one of the outputs: the log,
            // which records the time, or the console.
            let exit_code = server::exit_code_of(&error);
            tracing::error!(target: "quorate", exit_code, "{error:#}");
            // The console may have no reader. This call does not wait for one, because the process
            // has to end.
            telemetry::say_on_console(&format!("ERROR: {error:#}"));
            exit_code
        }
    }
}

/// Locks the pid file for this process.
fn claim(paths: &Paths) -> Result<PidFile, u8> {
    let failed = |error: LauncherError| {
        let code = match &error {
            LauncherError::File { source, .. } => exit_code::of_data_error(source),
            _ => exit_code::DATA_UNUSABLE,
        };
        print_error(&format!("{:#}", anyhow::Error::from(error)));
        code
    };
    let mut pid_file = PidFile::create(&paths.pid_file).map_err(failed)?;
    match pid_file.holder().map_err(failed)? {
        Holder::Us => pid_file.write_pid(std::process::id()).map_err(failed)?,
        Holder::Server(pid) => {
            let data_dir = paths.data_dir.display();
            print_error(&format!(
                "{data_dir}: Already running as {}",
                pid.as_raw_pid()
            ));
            return Err(exit_code::DATA_IN_USE);
        }
    }
    Ok(pid_file)
}

/// Restarts the server. A running server is not stopped if a check shows that it could not be
/// started again.
fn restart(options: &CommandLine, paths: &Paths) -> u8 {
    if let Err(errors) = config::load(options) {
        return config_errors(&errors, CliCommand::Restart);
    }
    if let Err(error) = launcher::check(paths) {
        return outcome(Err(error));
    }
    match outcome(launcher::stop(paths)) {
        exit_code::OK => start(options, paths),
        failed => failed,
    }
}

/// Starts the server in the background unless it is running, and returns the exit code.
fn start(options: &CommandLine, paths: &Paths) -> u8 {
    // The pid file and the configuration are checked before anything is started, so that errors are
    // reported here and not in a log.
    match launcher::status(paths) {
        Ok(LauncherOutcome::Running(pid)) => {
            return outcome(Ok(LauncherOutcome::AlreadyRunning(pid)));
        }
        Err(error) => return outcome(Err(error)),
        Ok(_) => {}
    }
    if let Err(errors) = config::load(options) {
        return config_errors(&errors, CliCommand::Start);
    }
    outcome(launcher::start(options, paths))
}

/// Prints whether the server is running, and returns the exit code.
fn status(paths: &Paths) -> u8 {
    match launcher::status(paths) {
        Ok(LauncherOutcome::NotRunning) => {
            say(&LauncherOutcome::NotRunning.to_string());
            exit_code::NOT_RUNNING
        }
        other => outcome(other),
    }
}

fn outcome(result: anyhow::Result<LauncherOutcome>) -> u8 {
    match result {
        Ok(outcome) => {
            say(&outcome.to_string());
            exit_code::OK
        }
        Err(error) => {
            print_error(&format!("{error:#}"));
            exit_code::LAUNCHER
        }
    }
}

fn config_errors(errors: &ConfigErrors, command: CliCommand) -> u8 {
    errors
        .0
        .iter()
        .for_each(|error| print_error(&error.to_string()));
    if command == CliCommand::Run {
        exit_code::CONFIG
    } else {
        exit_code::LAUNCHER
    }
}

/// Prints a line to standard output. Unlike `println!`, does not panic if the pipe is closed.
fn say(text: &str) {
    let _lost = writeln!(io::stdout(), "{text}");
}

fn print_error(text: &str) {
    let _lost = writeln!(io::stderr(), "ERROR: {text}");
}
