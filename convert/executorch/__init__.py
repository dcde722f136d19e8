"""ExecuTorch: conversion to ``.pte``, and what is in such a file."""
