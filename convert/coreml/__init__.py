"""Core ML: conversion to ``.mlpackage``, and the evaluation of its saved program where it cannot run."""
