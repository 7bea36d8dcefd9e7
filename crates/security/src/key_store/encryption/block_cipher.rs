//! The block ciphers of encrypted keys and stores, in CBC mode.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::{TdesEde2, TdesEde3};
use rc2::Rc2;

/// A block cipher. Only AES is secure; the others are those of old stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockCipher {
    Aes128,
    Aes192,
    Aes256,
    /// Triple DES with three keys.
    TripleDes,
    /// Triple DES whose third key is the first one.
    TwoKeyTripleDes,
    Rc2Bits40,
    Rc2Bits128,
}

impl BlockCipher {
    /// Returns the length of the key in bytes.
    pub(crate) fn key_bytes(self) -> usize {
        match self {
            BlockCipher::Aes128 | BlockCipher::TwoKeyTripleDes | BlockCipher::Rc2Bits128 => 16,
            BlockCipher::Aes192 | BlockCipher::TripleDes => 24,
            BlockCipher::Aes256 => 32,
            BlockCipher::Rc2Bits40 => 5,
        }
    }

    /// Returns the length of a block, and of the initial vector, in bytes.
    pub(crate) fn block_bytes(self) -> usize {
        match self {
            BlockCipher::Aes128 | BlockCipher::Aes192 | BlockCipher::Aes256 => 16,
            _ => 8,
        }
    }

    /// Decrypts data. Returns `None` if the padding at its end is wrong, as it is after a
    /// decryption with a wrong key in all but one of 256 cases.
    pub(crate) fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        match self {
            BlockCipher::Aes128 => decrypt_cbc::<Aes128>(key, iv, data),
            BlockCipher::Aes192 => decrypt_cbc::<Aes192>(key, iv, data),
            BlockCipher::Aes256 => decrypt_cbc::<Aes256>(key, iv, data),
            BlockCipher::TripleDes => decrypt_cbc::<TdesEde3>(key, iv, data),
            BlockCipher::TwoKeyTripleDes => decrypt_cbc::<TdesEde2>(key, iv, data),
            BlockCipher::Rc2Bits40 | BlockCipher::Rc2Bits128 => decrypt_cbc::<Rc2>(key, iv, data),
        }
    }
}

fn decrypt_cbc<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Option<Vec<u8>> {
    let cipher = Decryptor::<C>::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(data).ok()
}
