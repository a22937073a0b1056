//! Certificates, keys and authorities out of PEM.
//!
//! Deliberately does not know which of them go together.

use super::TlsError;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file as it was read; wiped when dropped, because one of them is a key.
#[derive(Clone)]
pub(super) struct PemFile {
    pub(super) path: PathBuf,
    pub(super) content: Zeroizing<Vec<u8>>,
}

impl PemFile {
    pub(super) fn read(path: &Path) -> Result<Self, TlsError> {
        let content = std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), content: Zeroizing::new(content) })
    }

    fn refused(&self, what: &'static str, reason: impl ToString) -> TlsError {
        TlsError::Pem { path: self.path.clone(), what, reason: reason.to_string() }
    }

    /// A chain, its own certificate first.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.content).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| self.refused("certificate", error))?;
        if chain.is_empty() {
            return Err(self.refused("certificate", "there is no CERTIFICATE section"));
        }
        Ok(chain)
    }

    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.content).map_err(|error| self.refused("private key", error))
    }

    pub(super) fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in self.certificates()? {
            store.add(certificate).map_err(|error| self.refused("authority", error))?;
        }
        Ok(store)
    }
}
