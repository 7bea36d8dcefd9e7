//! An installation of quorate whose `etc/` contains the files that a test provides.

use quorate::config::{CommandLine, Settings, load};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

pub const CONFIG: &str = "node.environment=test\n\
http-server.http.port=8411\n\
node.id=597A741E-9968-40E2-BB4D-7AF26DE18689\n\
service-inventory.uri=file:///srv/discovery/etc/service-inventory.json\n";

/// An installation with the given files in its `etc/`.
pub struct Installation {
    dir: TempDir,
}

impl Installation {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let installation = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        fs::create_dir(installation.etc()).expect("creates");
        for (name, text) in files {
            installation.write(name, text);
        }
        installation
    }

    pub fn etc(&self) -> PathBuf {
        self.path().join("etc")
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().expect("exists")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.etc().join(name), text).expect("writes");
    }

    pub fn options(&self) -> CommandLine {
        CommandLine {
            etc_dir: Some(self.etc()),
            ..CommandLine::default()
        }
    }

    pub fn load(&self) -> Settings {
        load(&self.options()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Returns the errors that loading reports, with the installation's path removed.
    pub fn errors(&self) -> String {
        self.cut(
            &load(&self.options())
                .expect_err("must be refused")
                .to_string(),
        )
    }

    /// Removes the installation's path from a text, so that tests can compare it.
    pub fn cut(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.etc().display()), "")
    }
}

/// Returns an installation whose only file is this config.properties.
pub fn with_config(text: &str) -> Installation {
    Installation::new(&[("config.properties", text)])
}
