//! The vocabulary and the tenant decision of Tenantry: which tenant is this request, and may it do that?.
