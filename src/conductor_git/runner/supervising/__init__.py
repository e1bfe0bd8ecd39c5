"""The supervision of one task: attempt after attempt, until its worker is done or there is a reason to give up."""
