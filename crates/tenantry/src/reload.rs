//! A policy file that is read again while the server runs.

use crate::error::ConfigError;
use crate::policy_file::PolicyOrigin;
use crate::server::ResourceServer;

impl ResourceServer {
    /// Reads the policy file again that this server was made from, and puts it in force: for every
    /// request that comes after this call, in all clones and layers.
    ///
    /// What [`PolicyFile::configure`](crate::PolicyFile::configure) changed is changed again.
    /// `listen` has no effect. The keys of issuers whose keys come from the same place are kept; key
    /// files are read again. That blocks for as long as the disk takes. Every token is verified anew.
    ///
    /// # Errors
    ///
    /// As [`PolicyFile::read`](crate::PolicyFile::read) and
    /// [`PolicyFile::build`](crate::PolicyFile::build), or if the server was not made from a file.
    /// What was in force stays in force.
    ///
    /// # Example
    ///
    /// ```
    /// # use tenantry::PolicyFile;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("policy.toml");
    /// let text = r#"
    /// [resource_server]
    /// audience = "https://api.erp.example/{tenant}"
    ///
    /// [[issuer]]
    /// issuer = "https://auth.erp.example"
    /// "#;
    /// std::fs::write(&path, text)?;
    /// let erp = PolicyFile::read(&path)?.build().await?;
    ///
    /// std::fs::write(&path, text.replace("audience", "audiance"))?;
    /// assert!(erp.reload().await.is_err());
    /// assert!(erp.policy().accepts_audience("https://api.erp.example/tenant1"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reload(&self) -> Result<(), ConfigError> {
        // Before the file is read: who asks later reads later.
        let _one_by_one = self.0.reloading.lock().await;
        let Some(origin) = self.0.origin.get() else {
            return Err(ConfigError::new(
                "this server was not made from a policy file: hand its new settings to `replace`",
            ));
        };
        origin.read_again()?.put_in_force(&self.0)
    }

    /// Reads the policy file again whenever the process gets `SIGHUP`, from this call on.
    ///
    /// What came of it is in the log: an `info` event, or an `error` event with the file, the line and
    /// the setting that cannot be used.
    ///
    /// # Errors
    ///
    /// If the signal cannot be watched.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with signals enabled.
    #[cfg(unix)]
    pub fn reload_on_hangup(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut hangup = signal(SignalKind::hangup())?;
        let server = self.clone();
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                match server.reload().await {
                    Ok(()) => tracing::info!("the policy file was read again and is in force"),
                    Err(error) => tracing::error!(
                        %error,
                        "the policy file cannot be used: the policy before it stays in force"
                    ),
                }
            }
        });
        Ok(())
    }

    pub(crate) fn with_origin(self, origin: Option<PolicyOrigin>) -> Self {
        if let Some(origin) = origin {
            // Just made: nobody has set it.
            let _ = self.0.origin.set(origin);
        }
        self
    }
}
