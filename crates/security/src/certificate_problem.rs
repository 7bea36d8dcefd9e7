//! The reasons why the certificate of the other end is not accepted, for people.

use rustls::{AlertDescription, CertificateError};

/// Returns the reason why a certificate is not accepted, as a phrase about it. The phrase is the
/// same at each attempt, so that attempts can be counted. rustls adds the time to some.
pub fn certificate_problem(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "no authority of the trust store has issued it (UnknownIssuer)".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        other => other.to_string(),
    }
}

/// Returns whether an alert says that the other end does not accept the certificate of this one.
pub fn is_about_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::DecryptError
            | Alert::AccessDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;
    use std::time::Duration;

    /// The phrase about an expired certificate has no time.
    #[test]
    fn a_problem_is_told_alike_each_time() {
        let expired_at = |s| CertificateError::ExpiredContext {
            time: UnixTime::since_unix_epoch(Duration::from_secs(s)),
            not_after: UnixTime::since_unix_epoch(Duration::from_secs(1)),
        };
        assert_ne!(expired_at(2).to_string(), expired_at(3).to_string());
        assert_eq!(certificate_problem(&expired_at(2)), "it has expired");
        assert_eq!(certificate_problem(&expired_at(3)), "it has expired");
        let unknown = certificate_problem(&CertificateError::UnknownIssuer);
        assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    }
}
