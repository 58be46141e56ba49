using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access;

namespace ChannelBridge.Tests.MultiClaws.Teams;

public sealed class SealTests
{
    private readonly string _file = Path.Combine(Scratch.NewFolder("seal"), "key");

    [Fact]
    public void Secret_OpensWithTheSameKeyAndPurposeOnly()
    {
        var closed = new SecretSeal(_file).Seal("secret"u8, "a/b");
        Assert.DoesNotContain("secret", Encoding.UTF8.GetString(closed), StringComparison.Ordinal);
        Assert.Equal("secret"u8.ToArray(), new SecretSeal(_file).Open(closed, "a/b"));
        Refused(new SecretSeal(_file), closed, "a/c");
        Refused(new SecretSeal(_file), closed[..^1], "a/b");
        Refused(new SecretSeal(_file), [], "a/b");
        closed[^1] ^= 1;
        Refused(new SecretSeal(_file), closed, "a/b");
        closed[^1] ^= 1;
        Refused(new SecretSeal(Path.Combine(Scratch.NewFolder("seal"), "key")), closed, "a/b");
        Assert.NotEqual(closed, new SecretSeal(_file).Seal("secret"u8, "a/b"));
    }

    [Fact]
    public void KeyFile_IsItsOwnersAlone()
    {
        if (OperatingSystem.IsWindows()) return;
        var closed = new SecretSeal(_file).Seal("secret"u8, "a");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_file));
        File.SetUnixFileMode(_file, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Refused(new SecretSeal(_file), closed, "a");
        File.SetUnixFileMode(_file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(_file, "too short");
        Refused(new SecretSeal(_file), closed, "a");
        Refused(new SecretSeal(null), closed, "a");
    }

    private static void Refused(SecretSeal seal, byte[] closed, string purpose) =>
        Assert.Equal(ErrorCodes.Unavailable, Assert.Throws<BridgeException>(() => seal.Open(closed, purpose)).Code);
}
