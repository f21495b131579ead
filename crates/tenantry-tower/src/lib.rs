//! Tower layers that let no request of one tenant reach another tenant's data.
