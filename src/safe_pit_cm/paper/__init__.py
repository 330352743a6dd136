"""The paper's tables and figures, one module each, and the page that shows them all."""
