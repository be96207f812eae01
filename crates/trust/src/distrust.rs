//! Why a peer is not trusted, in the words of the box of the chart that refused.

use usphere_proto::EndpointId;

use crate::certificate::CertificateError;

/// Why a connection is not made, or a Record not processed or sent. The text names the box of the chart.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Distrust {
    /// A Credential whose Role is the BannedRole fits. ("Revoked?")
    #[error(
        "revoked: {certificate} is banned by Device.LocalAgent.ControllerTrust.Credential.{credential}."
    )]
    Banned {
        /// The certificate that is banned.
        certificate: String,
        /// The row that bans it.
        credential: u32,
    },
    /// The Endpoint is known, but by another certificate, and no trusted authority vouches for this one.
    /// ("Cert of stored EID = received cert?", "Signed by a trusted CA?")
    #[error(
        "{endpoint_id} is known, but not by the certificate of {certificate}, and no Credential that may \
         authenticate Controllers vouches for it"
    )]
    NotItsCertificate {
        /// The Endpoint.
        endpoint_id: EndpointId,
        /// The certificate that was presented.
        certificate: String,
    },
    /// No certificate came. ("Certificate presented")
    #[error("the peer presented no certificate")]
    NothingPresented,
    /// The certificate is valid at another time. ("Dates valid?")
    #[error(
        "the certificate of {certificate} is not valid now: it is valid from {not_before} to \
         {not_after}, now is {now} (seconds since 1970)"
    )]
    OutOfDate {
        /// The certificate.
        certificate: String,
        /// Its first second.
        not_before: i64,
        /// Its last second.
        not_after: i64,
        /// The time.
        now: i64,
    },
    /// The authority has revoked it. ("Revoked?")
    #[error("revoked: {certificate} stands in a revocation list of its authority")]
    Revoked {
        /// The certificate that is revoked.
        certificate: String,
    },
    /// More certificates came than are looked at.
    #[error(
        "the peer presented {certificates} certificates, at most {} are looked at",
        crate::limits::CHAIN_LENGTH_MAX
    )]
    TooLong {
        /// Their number.
        certificates: usize,
    },
    /// So many certificates could have signed each other that not all of it was looked at: whether a banned
    /// one is among them is not known.
    #[error(
        "too many of the certificates that were presented or are trusted bear the same names: more than {} \
         signatures would have to be verified",
        crate::limits::SIGNATURES_MAX
    )]
    TooManySignatures,
    /// The connection proves nothing about this Endpoint. ("MTP cert cannot be used to authenticate EID in
    /// USP Record")
    #[error("the certificate of {certificate} does not authenticate {endpoint_id}")]
    Unproven {
        /// The certificate that was presented.
        certificate: String,
        /// The Endpoint.
        endpoint_id: EndpointId,
    },
    /// What came is no certificate that can be used.
    #[error(transparent)]
    Unreadable(CertificateError),
    /// The certificate has a critical extension that is not understood, so it must not be used. (RFC 5280, 4.2)
    #[error("the certificate of {certificate} has the unknown critical extension {extension}")]
    UnknownExtension {
        /// The certificate.
        certificate: String,
        /// The object identifier.
        extension: String,
    },
    /// Nobody who is trusted vouches for it, and that is required. ("Trusted signature required?")
    #[error(
        "nobody who is trusted vouches for the certificate of {certificate}, issued by {issuer}; and trust on \
         first use is not allowed (TOFUAllowed)"
    )]
    Untrusted {
        /// The certificate.
        certificate: String,
        /// Who has issued the last one that was presented.
        issuer: String,
    },
    /// Another server is there. ("Domain in server cert matches URL -or- … -or- EID in cert matches
    /// target Controller EID?")
    #[error(
        "the certificate of {certificate} is neither for the host {host} nor for {}",
        .endpoint_id.as_ref().map_or("an Endpoint that is expected there", |id| id.as_str())
    )]
    WrongServer {
        /// The certificate.
        certificate: String,
        /// The host of the URL.
        host: String,
        /// The Endpoint that is expected there.
        endpoint_id: Option<EndpointId>,
    },
}
