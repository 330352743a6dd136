"""The commands of ``safe-pit-cm``, which import heavy libraries only when they run."""
