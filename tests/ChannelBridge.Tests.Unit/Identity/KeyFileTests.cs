using ChannelBridge.Identity;

namespace ChannelBridge.Tests.Unit.Identity;

public sealed class KeyFileTests : IDisposable
{
    private readonly string _folder = Scratch.NewFolder("cb-identity-");

    private string File => Path.Combine(_folder, "identity.pem");

    [Fact]
    public void ReadOrCreate_MakesAFileForTheOwnerOnly_AndReadsItTheNextTime()
    {
        using var made = IdentityKeyFile.ReadOrCreate(File);
        using var read = IdentityKeyFile.ReadOrCreate(File);

        Assert.Equal(made.PublicKey.ToArray(), read.PublicKey.ToArray());
        Assert.Equal([File], Directory.GetFiles(_folder));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File));
    }

    [Fact]
    public async Task ReadOrCreate_ByManyAtOnce_GivesAllTheSameKey()
    {
        var keys = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() =>
        {
            using var key = IdentityKeyFile.ReadOrCreate(File);
            return Convert.ToHexString(key.PublicKey.Span);
        })));

        Assert.Single(keys.Distinct());
        Assert.Equal([File], Directory.GetFiles(_folder));
    }

    [Fact]
    public void Write_OverAFile_ReplacesIt()
    {
        System.IO.File.WriteAllText(File, "old");
        using var key = IdentityKey.Create();
        IdentityKeyFile.Write(File, key, "a passphrase");

        using var read = IdentityKeyFile.Read(File, "a passphrase");
        Assert.Equal(key.PublicKey.ToArray(), read.PublicKey.ToArray());
        var fault = Assert.Throws<IdentityException>(() => IdentityKeyFile.Read(File, "another"));
        Assert.Equal(IdentityFault.PassphraseWrong, fault.Fault);
        Assert.Contains(File, fault.Message, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File));
    }

    [Fact]
    public void Read_AFileThatOthersMayRead_IsRefused()
    {
        if (OperatingSystem.IsWindows()) return;
        using var key = IdentityKey.Create();
        IdentityKeyFile.Write(File, key);
        System.IO.File.SetUnixFileMode(File, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);

        var fault = Assert.Throws<IdentityException>(() => IdentityKeyFile.Read(File));
        Assert.Equal(IdentityFault.NotPrivate, fault.Fault);
        Assert.Contains("chmod 600", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_ThatArentThereOrCantBeWritten_AreNamed()
    {
        Assert.Equal(IdentityFault.File, Assert.Throws<IdentityException>(() => IdentityKeyFile.Read(File)).Fault);
        var nowhere = Path.Combine(_folder, "no", "such", "folder.pem");
        var fault = Assert.Throws<IdentityException>(() => IdentityKeyFile.ReadOrCreate(nowhere));
        Assert.Equal(IdentityFault.File, fault.Fault);
        Assert.Contains(nowhere, fault.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
