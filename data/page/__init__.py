"""Parts of HTML pages that need nothing but themselves."""
