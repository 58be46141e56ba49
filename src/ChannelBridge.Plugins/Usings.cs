global using ChannelBridge.Abstractions.Errors;
