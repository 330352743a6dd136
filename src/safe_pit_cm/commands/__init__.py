"""The commands of ``safe-pit-cm``, which import what is heavy only when they run."""
