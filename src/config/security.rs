//! The settings of authentication: the shared secrets, and who must prove that they have one.

use super::file::read_up_to;
use super::paths::Paths;
use super::sources::Sources;
use super::values;
use crate::security::{SECRET_BYTES_ADVISED, Secret, SecretList, SecretListError};
use ipnet::{IpNet, Ipv4Net};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The configuration keys of the secret that only the nodes share, and of the secret that the nodes
/// share with the engines. For each of the two keys, another key with the suffix `-file` names a
/// file with secrets instead.
const CLUSTER_SECRET: &str = "cluster.shared-secret";
const ENGINES_SECRET: &str = "internal-communication.shared-secret";
const PEER_AUTHENTICATION: &str = "cluster.peer-authentication";
const ANNOUNCEMENT_AUTHENTICATION: &str = "discovery.announcement.authentication";
const TRUSTED_ADDRESSES: &str = "discovery.announcement.trusted-addresses";

/// Maximum number of trusted networks.
const TRUSTED_MAX: usize = 1_000;

/// Maximum size of a file with secrets.
const SECRETS_FILE_BYTES_MAX: u64 = 64 << 10;

/// The permission bits that let other users of the machine read or change a file.
const OTHERS: u32 = 0o077;

/// The settings of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecuritySettings {
    /// `cluster.peer-authentication`
    pub peers: PeerAuthentication,
    /// The secrets of the peers. Without `cluster.shared-secret`, the peers use the secrets of the
    /// engines. Always present unless `peers` is [`PeerAuthentication::Off`].
    pub peer_secrets: Option<SharedSecrets>,
    /// `discovery.announcement.authentication`
    pub engines: EngineAuthentication,
    /// The secrets of the engines, `internal-communication.shared-secret`. Always present unless
    /// `engines` is [`EngineAuthentication::Off`].
    pub engine_secrets: Option<SharedSecrets>,
    /// `discovery.announcement.trusted-addresses`: the networks whose engines need no token.
    pub trusted_addresses: Vec<IpNet>,
}

/// `discovery.announcement.authentication`: whether engines prove who they are when they announce
/// or withdraw themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineAuthentication {
    /// Engines prove nothing.
    Off,
    /// An engine may send no token, but a token must be valid.
    Verify,
    /// Engines must have a valid token, or a trusted address.
    Require,
}

/// `cluster.peer-authentication`: whether peers prove that they have the shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAuthentication {
    /// Peers prove nothing.
    Off,
    /// Peers prove that they have the secret if they can. Peers without a proof are accepted too.
    /// This value is for the time in which a group is changed node by node.
    Permissive,
    /// Peers must prove that they have the secret.
    Require,
}

/// Secrets, and the file that they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSecrets {
    /// The secrets.
    pub list: SecretList,
    /// The file from which the secrets are read again. `None` if the secret is in the
    /// configuration.
    pub file: Option<PathBuf>,
}

/// The reason why a file with secrets cannot be used. The reason never contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsFileError {
    /// The operating system cannot read the file.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The path leads to a directory, a device or a pipe.
    #[error("is not a regular file")]
    NotRegular,
    /// The file is larger than any list of secrets.
    #[error("is larger than {SECRETS_FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file is not UTF-8.
    #[error("is not text in UTF-8")]
    NotText,
    /// The text of the file is not a list of secrets.
    #[error("{0}")]
    List(#[from] SecretListError),
}

/// Reads a file with one secret a line.
///
/// # Errors
/// When the file cannot be read, or is not a list of secrets.
pub fn read_secrets(path: &Path) -> Result<SecretList, SecretsFileError> {
    // Checked before the file is opened, because opening a pipe waits for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(SecretsFileError::NotRegular);
    }
    let bytes = read_up_to(path, SECRETS_FILE_BYTES_MAX)?;
    if bytes.len() as u64 > SECRETS_FILE_BYTES_MAX {
        return Err(SecretsFileError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretsFileError::NotText)?;
    Ok(SecretList::parse(&text)?)
}

/// Reads the settings of authentication. If a shared secret is configured, each proof that is given
/// with this secret is required by default.
pub(super) fn read(sources: &mut Sources, paths: &Paths) -> SecuritySettings {
    let engine_secrets = shared_secrets(sources, paths, ENGINES_SECRET);
    let own = shared_secrets(sources, paths, CLUSTER_SECRET);
    let have_engines_secret = is_named(sources, ENGINES_SECRET);
    let has_secret = have_engines_secret || is_named(sources, CLUSTER_SECRET);
    let peers = peers(sources, has_secret);
    let engines = engines(sources, have_engines_secret);
    if engines == EngineAuthentication::Require && peers != PeerAuthentication::Require {
        sources.invalid(
            ANNOUNCEMENT_AUTHENTICATION,
            &format!(
                "require needs {PEER_AUTHENTICATION}=require: otherwise everyone can announce an \
                 engine as a node of the group"
            ),
        );
    }
    let trusted_addresses = sources.read(TRUSTED_ADDRESSES, Vec::new(), trusted_addresses);
    if engines == EngineAuthentication::Require
        && trusted_addresses
            .iter()
            .any(|network| network.prefix_len() == 0)
    {
        sources.invalid(
            TRUSTED_ADDRESSES,
            &format!("trusts every address: set {ANNOUNCEMENT_AUTHENTICATION}=off instead"),
        );
    }
    SecuritySettings {
        peers,
        peer_secrets: own.or_else(|| engine_secrets.clone()),
        engines,
        engine_secrets,
        trusted_addresses,
    }
}

/// Reads `cluster.peer-authentication`.
fn peers(sources: &mut Sources, has_secret: bool) -> PeerAuthentication {
    use PeerAuthentication::{Off, Permissive, Require};
    let default = if has_secret { Require } else { Off };
    let peers = sources.read(PEER_AUTHENTICATION, default, |text| {
        values::one_of(
            text,
            &[
                ("OFF", Off),
                ("PERMISSIVE", Permissive),
                ("REQUIRE", Require),
            ],
        )
    });
    match (peers, has_secret) {
        (Permissive | Require, false) => {
            needs_secret(sources, PEER_AUTHENTICATION, CLUSTER_SECRET);
        }
        (Off, true) => sources.notices.push(format!(
            "{PEER_AUTHENTICATION} is off: peers do not prove that they have the shared secret"
        )),
        _ => {}
    }
    peers
}

/// Reads `discovery.announcement.authentication`.
fn engines(sources: &mut Sources, has_secret: bool) -> EngineAuthentication {
    use EngineAuthentication::{Off, Require, Verify};
    let default = if has_secret { Require } else { Off };
    let engines = sources.read(ANNOUNCEMENT_AUTHENTICATION, default, |text| {
        values::one_of(
            text,
            &[("OFF", Off), ("VERIFY", Verify), ("REQUIRE", Require)],
        )
    });
    if engines != Off && !has_secret {
        needs_secret(sources, ANNOUNCEMENT_AUTHENTICATION, ENGINES_SECRET);
    }
    engines
}

fn needs_secret(sources: &mut Sources, key: &str, secret: &str) {
    let mode = sources.text(key).unwrap_or_default().to_owned();
    sources.invalid(
        key,
        &format!("{mode} needs a shared secret: set {secret}-file"),
    );
}

fn is_named(sources: &Sources, key: &str) -> bool {
    sources.text(key).is_some() || sources.text(&format!("{key}-file")).is_some()
}

/// Parses a list of networks and addresses, separated by commas.
fn trusted_addresses(text: &str) -> Result<Vec<IpNet>, String> {
    let parse = |part: &str| {
        let part = part.trim();
        let network = part.parse::<IpNet>().ok().map(without_mapping);
        let address = || {
            part.parse::<IpAddr>()
                .ok()
                .map(|ip| IpNet::from(ip.to_canonical()))
        };
        network
            .or_else(address)
            .map(|network| network.trunc())
            .ok_or_else(|| {
                let shown = values::shown(part);
                format!("'{shown}' is neither an IP address nor a network such as 10.0.0.0/8")
            })
    };
    let networks = text.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    match networks.len() <= TRUSTED_MAX {
        true => Ok(networks),
        false => Err(format!("has more than {TRUSTED_MAX} networks")),
    }
}

/// Returns the IPv4 network for an IPv6 network of mapped addresses, and other networks unchanged.
/// The addresses of connections are compared in their IPv4 form.
fn without_mapping(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let v4 = mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    v4.map_or(network, IpNet::V4)
}

/// Reads the secret in the value of `key`, or the secrets in the file that the `-file` key names.
fn shared_secrets(sources: &mut Sources, paths: &Paths, key: &str) -> Option<SharedSecrets> {
    let file_key = format!("{key}-file");
    let secret = sources.read(key, None, |text| {
        Secret::parse(text)
            .map(Some)
            .map_err(|error| error.to_string())
    });
    let file = sources.read(&file_key, None, |text| Ok(Some(paths.in_data_dir(text))));
    if sources.text(key).is_some() && sources.text(&file_key).is_some() {
        sources.invalid(
            &file_key,
            &format!("cannot be set beside {key}: name one of them"),
        );
        return None;
    }
    let (named, secrets, readable) = match (secret, file) {
        (Some(secret), _) => {
            let readable = sources.file_of(key).map(PathBuf::from);
            let list = SecretList::one(secret);
            (key, SharedSecrets { list, file: None }, readable)
        }
        (None, Some(file)) => match read_secrets(&file) {
            Ok(list) => {
                let file = Some(file);
                let secrets = SharedSecrets {
                    list,
                    file: file.clone(),
                };
                (file_key.as_str(), secrets, file)
            }
            Err(error) => {
                sources.invalid(&file_key, &format!("{} {error}", file.display()));
                return None;
            }
        },
        (None, None) => return None,
    };
    if secrets.list.iter().any(Secret::is_weak) {
        sources.notices.push(format!(
            "{named}: a secret of fewer than {SECRET_BYTES_ADVISED} bytes may be guessed; \
             make one with `openssl rand -hex 32`"
        ));
    }
    if secrets.file.is_none() && readable.is_none() {
        sources.notices.push(format!(
            "{named}: every user of this machine can see the shared secret in the list of \
             processes; name a file with {file_key}"
        ));
    }
    if let Some(path) = readable
        && fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0)
    {
        sources.notices.push(format!(
            "{}: other users of this machine may read the shared secret in it; \
             `chmod 600` the file",
            path.display()
        ));
    }
    Some(secrets)
}
