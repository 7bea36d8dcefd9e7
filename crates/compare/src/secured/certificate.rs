//! The certificate of the servers, and the authority that has signed it. Both are made for one run.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};

/// Number of characters in a line of PEM (RFC 7468).
const LINE: usize = 64;

/// The files of a certificate with a P-256 key for 127.0.0.1.
pub struct MadeCertificate {
    /// The key and the certificate of the servers, in PEM.
    pub key_store: PathBuf,
    /// The certificate of the authority that clients trust, in PEM.
    pub authority: PathBuf,
}

impl MadeCertificate {
    /// Makes the certificate and its authority, and writes their files to a directory.
    ///
    /// # Errors
    /// Fails if they cannot be made, or the directory cannot be written.
    pub fn write(dir: &Path) -> anyhow::Result<MadeCertificate> {
        let files = MadeCertificate {
            key_store: dir.join("server.pem"),
            authority: dir.join("authority.pem"),
        };
        let (key_store, authority) = texts().context("a certificate")?;
        for (path, text) in [(&files.key_store, key_store), (&files.authority, authority)] {
            fs::write(path, text).with_context(|| path.display().to_string())?;
        }
        Ok(files)
    }
}

/// Makes the texts of both files.
fn texts() -> Result<(String, String), rcgen::Error> {
    let mut parameters = CertificateParams::default();
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "authority of a benchmark");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let certificate = parameters.signed_by(&key, &authority)?;
    let key_store = [
        pem("PRIVATE KEY", &key.serialize_der()),
        pem("CERTIFICATE", certificate.der()),
    ];
    Ok((
        key_store.concat(),
        pem("CERTIFICATE", authority.as_ref().der()),
    ))
}

/// Encodes a key or a certificate in PEM.
fn pem(kind: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {kind}-----\n");
    for line in base64.as_bytes().chunks(LINE) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text + &format!("-----END {kind}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate::security::{
        CertificateHosts, EXCLUDED_CIPHERS_DEFAULT, HttpsSettings, KeyStore, StorePasswords,
    };

    /// quorate can serve the certificate, which is for 127.0.0.1.
    #[test]
    fn the_certificate_can_be_served() {
        let (key_store, authority) = texts().expect("it is made");
        let read = |text: &str| KeyStore::read(text.as_bytes(), &StorePasswords::default());
        let store = read(&key_store).expect("a store");
        let settings = HttpsSettings {
            key_store: &store,
            trust_store: None,
            included_ciphers: "",
            excluded_ciphers: EXCLUDED_CIPHERS_DEFAULT,
            session_timeout_s: 60,
        };
        settings.server_config().expect("settings");
        let hosts = CertificateHosts::of(&store.entries()[0].chain()[0]).expect("its hosts");
        assert_eq!(hosts.list(), "127.0.0.1");
        assert_eq!(read(&authority).expect("an authority").trusted().len(), 1);
    }
}
