"""Networks that judge results: trained apart, with other seeds, and never imported by the product."""
