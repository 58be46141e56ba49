using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>What is wrong with the device identity of a <c>connect</c>, in the gateway's words.</summary>
/// <param name="Code"><c>details.code</c>.</param>
/// <param name="Reason"><c>details.reason</c>.</param>
/// <param name="Message">The message.</param>
internal sealed record DeviceFault(string Code, string Reason, string Message)
{
    public static readonly DeviceFault IdMismatch = new(OpenClawNames.ConnectErrors.DeviceIdMismatch, "device-id-mismatch", "device identity mismatch");

    public static readonly DeviceFault Expired = new(OpenClawNames.ConnectErrors.DeviceSignatureExpired, "device-signature-stale", "device signature expired");

    public static readonly DeviceFault NonceMissing = new(OpenClawNames.ConnectErrors.DeviceNonceRequired, "device-nonce-missing", "device nonce required");

    public static readonly DeviceFault NonceMismatch = new(OpenClawNames.ConnectErrors.DeviceNonceMismatch, "device-nonce-mismatch", "device nonce mismatch");

    public static readonly DeviceFault PublicKey = new(OpenClawNames.ConnectErrors.DevicePublicKeyInvalid, "device-public-key", "device public key invalid");

    public static readonly DeviceFault Signature = new(OpenClawNames.ConnectErrors.DeviceSignatureInvalid, "device-signature", "device signature invalid");
}
