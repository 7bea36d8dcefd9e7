//! Paths of all files and directories, from the command line and `node.properties`, by the rules of
//! airlift's launcher.

use super::environment::{self, expand};
use super::error::{ConfigErrors, SourceLocation};
use super::file;
use super::properties::{Property, parse_launcher};
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// The options that airlift's launcher accepts, as given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// `--etc-dir`
    pub etc_dir: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--node-config`
    pub node_config: Option<PathBuf>,
    /// `--log-levels-file`
    pub log_levels_file: Option<PathBuf>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--pid-file`
    pub pid_file: Option<PathBuf>,
    /// `--launcher-log-file`
    pub launcher_log_file: Option<PathBuf>,
    /// `--server-log-file`
    pub server_log_file: Option<PathBuf>,
    /// `-D NAME=VALUE`, in order.
    pub properties: Vec<(String, String)>,
    /// Whether the server runs detached. The log of a detached server goes to a file and not to the
    /// console.
    pub detached: bool,
}

/// All paths, absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The directory of the configuration.
    pub etc_dir: PathBuf,
    /// `config.properties`
    pub config: PathBuf,
    /// `node.properties`, which may be absent.
    pub node_config: PathBuf,
    /// `log.properties`, which may be absent.
    pub log_levels: PathBuf,
    /// The data directory: `--data-dir`, else `node.data-dir`, else the installation directory.
    pub data_dir: PathBuf,
    /// The launcher's pid file.
    pub pid_file: PathBuf,
    /// The file for everything that a detached server writes to its standard output and error.
    pub launcher_log: PathBuf,
    /// The log of a detached server.
    pub server_log: PathBuf,
    /// The properties in `node.properties`.
    pub(super) node_properties: Vec<Property>,
}

impl fmt::Display for Paths {
    /// Writes one path per line, as airlift's launcher prints them with `-v`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, path) in [
            ("etc_dir", &self.etc_dir),
            ("config_path", &self.config),
            ("node_config", &self.node_config),
            ("log_levels", &self.log_levels),
            ("data_dir", &self.data_dir),
            ("pid_file", &self.pid_file),
            ("launcher_log", &self.launcher_log),
            ("server_log", &self.server_log),
        ] {
            writeln!(f, "{name:<15} = {}", path.display())?;
        }
        Ok(())
    }
}

impl Paths {
    /// Resolves all paths.
    ///
    /// # Errors
    /// Fails when `node.properties` cannot be read.
    pub fn resolve(options: &CommandLine) -> Result<Self, ConfigErrors> {
        let install = install_dir(options.etc_dir.as_deref())?;
        let given = |path: &Option<PathBuf>, default: PathBuf| {
            path.as_deref().map_or(Ok(default), absolute)
        };
        let etc_dir = given(&options.etc_dir, install.join("etc"))?;
        let node_config = given(&options.node_config, etc_dir.join("node.properties"))?;
        let node_properties = read_node_properties(&node_config, options.node_config.is_some())?;
        let data_dir = match &options.data_dir {
            Some(dir) => absolute(dir)?,
            None => configured_data_dir(options, &node_properties)?.unwrap_or(install),
        };
        Ok(Self {
            config: given(&options.config, etc_dir.join("config.properties"))?,
            log_levels: given(&options.log_levels_file, etc_dir.join("log.properties"))?,
            pid_file: given(&options.pid_file, data_dir.join("var/run/launcher.pid"))?,
            launcher_log: given(
                &options.launcher_log_file,
                data_dir.join("var/log/launcher.log"),
            )?,
            server_log: given(
                &options.server_log_file,
                data_dir.join("var/log/server.log"),
            )?,
            etc_dir,
            node_config,
            data_dir,
            node_properties,
        })
    }

    /// Resolves a path from the configuration. A relative path starts in the data directory. A path
    /// that begins with `etc` starts in the configuration directory instead. With airlift, such a
    /// path leads there too, because the launcher creates a link named `etc` in the data directory.
    pub(super) fn in_data_dir(&self, path: &str) -> PathBuf {
        match Path::new(path).strip_prefix("etc") {
            Ok(rest) => self.etc_dir.join(rest),
            Err(_) => self.data_dir.join(path),
        }
    }
}

/// Returns the installation directory, which is the parent of `bin` as in airlift. If the binary is
/// elsewhere, such as in a build directory, returns the parent of the `etc` directory.
fn install_dir(etc_dir: Option<&Path>) -> Result<PathBuf, ConfigErrors> {
    let executable = env::current_exe().and_then(|path| path.canonicalize());
    let bin = executable
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned));
    if let Some(bin) = bin.filter(|dir| dir.ends_with("bin")) {
        return Ok(bin.parent().map(Path::to_owned).unwrap_or(bin));
    }
    let etc_dir = absolute(etc_dir.unwrap_or(Path::new("etc")))?;
    Ok(etc_dir.parent().map(Path::to_owned).unwrap_or(etc_dir))
}

/// Returns the absolute path, with symbolic links resolved (`realpath`) if the path exists.
fn absolute(path: &Path) -> Result<PathBuf, ConfigErrors> {
    let absolute = path.canonicalize().or_else(|_| std::path::absolute(path));
    absolute.map_err(|error| {
        ConfigErrors::one(
            SourceLocation::file(path),
            format!("is not a usable path: {error}"),
        )
    })
}

fn read_node_properties(path: &Path, must_exist: bool) -> Result<Vec<Property>, ConfigErrors> {
    let Some(text) = file::read_text(path, must_exist)? else {
        return Ok(Vec::new());
    };
    let (properties, bad) = parse_launcher(&text);
    if bad.is_empty() {
        Ok(properties)
    } else {
        Err(file::bad_lines(path, &bad))
    }
}

/// Returns `node.data-dir`, from `-D` or else from `node.properties`.
fn configured_data_dir(
    options: &CommandLine,
    node: &[Property],
) -> Result<Option<PathBuf>, ConfigErrors> {
    const KEY: &str = "node.data-dir";
    let overridden = options
        .properties
        .iter()
        .rev()
        .find(|(key, _)| key == KEY)
        .map(|(_, value)| value);
    let configured =
        overridden.or_else(|| node.iter().rev().find(|p| p.key == KEY).map(|p| &p.value));
    let Some(dir) = configured else {
        return Ok(None);
    };
    let wrong = |what: String| ConfigErrors::one(SourceLocation::new(KEY, 0), what);
    let dir = expand(dir, &environment::process)
        .map_err(|name| wrong(format!("references unset environment variable '{name}'")))?;
    if dir.is_empty() {
        return Err(wrong("is empty".to_owned()));
    }
    absolute(Path::new(&dir)).map(Some)
}
