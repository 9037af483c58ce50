"""What our way costs, against another way of doing the same work, in pairs in one run."""
