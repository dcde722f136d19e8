"""ONNX: conversion, and the forms of int8 that its runtimes take."""
